"""Whose file a path names, where a foreign server hands the files out itself.

Regular expressions for PCRE, which nginx and Apache both have, without regard to case,
on the decoded path. They are asked in this order, and the first that fits decides:

    NOBODYS   nobody's: a one-time token's place, a MAC that is written with separators
    COMMON    every phone's: names with 12 digits in them that are no MAC
    AMBIGUOUS nobody's: 13 hex digits in a row, or two different MACs
    ZEROS     every phone's: the MAC that no phone has (Poly: 000000000000.cfg)
    MAC       that phone's
    nothing   every phone's: firmware, files for a model, languages

Rule: a file that ``provisioning.resource`` gives to one phone is given to that phone or
to nobody here, and its common files to every phone. What it does not know is judged
with caution: where a MAC may be meant, another phone gets nothing. So ``spa`` before a
MAC makes 13 hex digits, and the file is nobody's until it has a plainer name.
"""

MAC = "[0-9a-f]{12}"

_PAIRS = "(?:[0-9a-f]{2}[-:._]){5}[0-9a-f]{2}"
_QUADS = "(?:[0-9a-f]{4}[-:._]){2}[0-9a-f]{4}"
_HALVES = "(?<![0-9])[0-9a-f]{6}[-:._][0-9a-f]{6}(?![0-9a-f])"
# A date of eight digits and a time of six would be two halves but for their first two.
NOBODYS = f"/t/|{_PAIRS}|{_QUADS}|{_HALVES}"

_TIME = (
    "(?<![0-9a-f])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    "[0-9]{6}(?![0-9a-f])"
)
_NO_MAC = f"(?:(?!{MAC})[^/])*"
_NAMES = f"y[0-9]{{12}}[.](?:boot|cfg)|{_NO_MAC}{_TIME}{_NO_MAC}"
COMMON = f"^/certificates/[0-9a-f]{{64}}[.]der$|^(?!.*{MAC}.*/).*/(?:{_NAMES})$"

# Its one group is the first MAC; \1 must stay the first group wherever it is used.
AMBIGUOUS = f"[0-9a-f]{{13}}|({MAC}).*(?!\\1){MAC}"

ZEROS = "0{12}"
