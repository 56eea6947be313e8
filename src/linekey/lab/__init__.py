"""The lab: a vendor, a server CA and all else that `linekey up` runs on one machine."""
