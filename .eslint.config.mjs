import js from "@eslint/js";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: [".package"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: {
      // One project: by the nearest tsconfig.json, each example would load all packages again.
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // mocha's `it` returns a promise only where the test does; node:test style checks do not apply.
      "@typescript-eslint/no-floating-promises": "error",
    },
  },
  {
    // A test that has a limit of its own fails when the computer is busy.
    files: ["test/**/*.ts", "cli/rehearse/**/*.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        ...["CallExpression[callee.property.name='timeout'] > Literal", "Property[key.name='timeout'] > Literal"].map(
          (selector) => ({ selector, message: "There is one limit for all: cli/rehearse/limits.cjs." }),
        ),
      ],
    },
  },
  { files: ["**/*.{mjs,cjs}"], languageOptions: { globals: globals.node } },
  { files: ["**/*.cjs"], languageOptions: { sourceType: "commonjs" } },
);
