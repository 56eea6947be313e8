"""What is known of phones, with the source and the confidence of every row.

Rules: data and lookups only; every row says where it comes from (``source``) and how
sure that is (``confidence``: H the vendor's page, source code or certificate bytes;
M one good secondary source, or a rule applied to a nearby row; L inference). Where
two sources disagree, both readings are kept beside each other. Nothing here reads a
clock, a socket or a file other than the data that ships with the package.
"""
