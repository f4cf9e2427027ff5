"""The booking of twelve tasks as each peer runs it; these modules run in an environment of the peers' own."""
