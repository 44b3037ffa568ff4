"""Boots docker-compose.yaml as its users do, breaks parts of it, and sees that nothing is lost."""
