import js from '@eslint/js'
import stylistic from '@stylistic/eslint-plugin'
import globals from 'globals'

const EVERYWHERE = ['src/ends.js', 'src/negotiated.js', 'src/settings.js']

export default [
  { ignores: ['v*/', 'node/'] },
  js.configs.recommended,
  stylistic.configs.customize({ braceStyle: '1tbs', commaDangle: 'never', quoteProps: 'as-needed' }),
  {
    rules: {
      '@stylistic/max-len': ['error', { code: 120 }],
      '@stylistic/space-before-function-paren': ['error', 'always'],
      '@stylistic/arrow-parens': ['error', 'as-needed'],
      curly: 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-shadow': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'prefer-template': 'error'
    }
  },
  { ignores: ['src/page.js', ...EVERYWHERE], languageOptions: { globals: globals.node } },
  { files: ['src/page.js'], languageOptions: { globals: globals.browser } },
  { files: EVERYWHERE, languageOptions: { globals: globals['shared-node-browser'] } }
]
