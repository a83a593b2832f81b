"""The Django project and the platform both applications stand on."""
