"""People, roles, regional memberships, and the one queryset every door uses."""
