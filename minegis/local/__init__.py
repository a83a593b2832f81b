"""Everything that makes a bare Debian machine run MineGIS: packages, virtual environment, private services, processes.

Runs on the system's Python 3.11 before any virtual environment exists, so it imports the standard library only::

    python3 -m minegis.local demo
"""
