/** For the folder `templates` of a home, where the size of pictures is not the point: painting and packing large ones is most of a test's work. */
export const tinyTemplates = Object.fromEntries(
  ['tiny', 'small'].map(id => [
    `${id}.template.yaml`,
    JSON.stringify({
      $schema: 'template/1',
      id,
      title: id,
      subject: 'persona',
      words: [id],
      views: [{ id: 'front' }],
      sizes: { sd15: { width: 64, height: 96 } },
    }),
  ]),
)
