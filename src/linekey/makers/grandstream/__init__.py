"""Grandstream's phones: numbered settings in XML, or named ones."""
