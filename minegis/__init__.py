"""The Django project and the platform both applications stand on."""

__version__ = "0.1.0"
