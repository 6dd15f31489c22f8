"""Alembic's entry for authors of migrations; the product itself upgrades through `store.migrate`."""

from alembic import context
from sqlalchemy import create_engine

from casparian_flow.store.tables import metadata

url = context.get_x_argument(as_dictionary=True).get("url", "sqlite://")
with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
