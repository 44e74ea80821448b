// A user for each service, who may use that service's database and no other. mongo's image runs it on an empty store.
for (const service of ["intake", "triage", "partner_routing", "audit"]) {
  const password = process.env[`${service.toUpperCase()}_MONGO_PASSWORD`];
  if (!password) {
    throw new Error(`${service.toUpperCase()}_MONGO_PASSWORD is not set`);
  }
  db.getSiblingDB(service).createUser({
    user: service,
    pwd: password,
    roles: [{ role: "readWrite", db: service }],
  });
}
