"""The journal on PostgreSQL: `ports.journal` by asyncpg, for several hosts or a managed database."""
