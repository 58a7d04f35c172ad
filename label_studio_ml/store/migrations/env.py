"""Alembic's entry point: run on the connection that `migrations.upgrade` was given."""

from alembic import context

from label_studio_ml.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
