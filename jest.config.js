/** One jest for the whole workspace; packages resolve to their sources, so no build is needed first. */
export default {
  extensionsToTreatAsEsm: [".ts"],
  testMatch: ["<rootDir>/packages/*/tests/**/*.test.ts", "<rootDir>/e2e/**/*.test.ts"],
  modulePathIgnorePatterns: ["/dist/"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript" } }, module: { type: "es6" }, sourceMaps: "inline" },
    ],
  },
  globalSetup: "<rootDir>/e2e/support/global-setup.ts",
  globalTeardown: "<rootDir>/e2e/support/global-teardown.ts",
  testEnvironment: "node",
  testEnvironmentOptions: { customExportConditions: ["@genai/source", "node", "node-addons"] },
  testTimeout: 20_000,
};
