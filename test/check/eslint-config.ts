import tseslint from 'typescript-eslint'

/** The lint rules: what the compiler does not see. */
export default tseslint.config(
  { ignores: ['dist*/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unused-expressions': 'off',
      'max-params': ['error', 5],
      'no-console': 'error',
      'no-empty': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Error']",
          message: 'Use failure(CODE, details): every failure has a code.',
        },
        { selector: 'ThrowStatement > Literal', message: 'Throw a failure with a code.' },
      ],
      eqeqeq: 'error',
    },
  },
  { files: ['test/**/*.ts'], rules: { 'no-restricted-syntax': 'off', 'max-params': 'off', 'no-console': 'off' } },
)
