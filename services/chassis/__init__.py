"""What every service stands on: engine, Kafka, store, identity, settings, logs. It knows no referral."""
