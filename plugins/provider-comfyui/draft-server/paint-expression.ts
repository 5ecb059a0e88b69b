export interface Expression {
  /** Shown below the face in a grid. */
  name: string
  /** Inner ends of the brows: -1 down (anger), 1 up (sorrow). */
  browTilt: number
  /** -1 low, 1 high. */
  browLift: number
  /** 0 closed, 1 open, 1.3 wide. */
  eyesOpen: number
  /** -1 down, 1 up. */
  mouthCurve: number
  /** 0 closed, 1 wide open. */
  mouthOpen: number
}

const expression = (name: string, faces: Partial<Omit<Expression, 'name'>>): Expression => ({
  name,
  browTilt: 0,
  browLift: 0,
  eyesOpen: 1,
  mouthCurve: 0.25,
  mouthOpen: 0,
  ...faces,
})

export const expressions: readonly [Expression, ...Expression[]] = [
  expression('neutral', {}),
  expression('joy', { browLift: 0.5, eyesOpen: 0.75, mouthCurve: 1, mouthOpen: 0.45 }),
  expression('sorrow', { browTilt: 1, eyesOpen: 0.7, mouthCurve: -0.8 }),
  expression('anger', { browTilt: -1, browLift: -0.6, eyesOpen: 0.8, mouthCurve: -0.5, mouthOpen: 0.15 }),
  expression('surprise', { browLift: 1, eyesOpen: 1.3, mouthCurve: 0, mouthOpen: 0.9 }),
  expression('calm', { eyesOpen: 0, mouthCurve: 0.5 }),
  expression('doubt', { browTilt: 0.5, browLift: -0.2, eyesOpen: 0.6, mouthCurve: -0.25 }),
  expression('fear', { browTilt: 0.9, browLift: 0.7, eyesOpen: 1.2, mouthCurve: -0.5, mouthOpen: 0.35 }),
  expression('laughter', { browLift: 0.7, eyesOpen: 0, mouthCurve: 1, mouthOpen: 0.8 }),
]
