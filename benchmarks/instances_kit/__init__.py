"""Several real daemons on one real PostgreSQL, and what may befall them."""
