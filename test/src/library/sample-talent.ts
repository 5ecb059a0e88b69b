/** What Talent Factory writes of every talent, in its order. */
export const describedTalent = {
  category: 'Presence/Avatar',
  kind: 'lora',
  sdx_version: '1.5',
  base_model: 'runwayml/stable-diffusion-v1-5',
  lora_rank: 4,
  default_weight: 0.8,
  size_mb: 0.1,
}
