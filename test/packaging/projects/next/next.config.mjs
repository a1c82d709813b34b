// The package stays in node_modules: it is required, not bundled.
export default { serverExternalPackages: ['l3kernel'] };
