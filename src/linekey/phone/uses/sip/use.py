"""SIP: the phone's lines and their registrations."""

from linekey.phone.uses.sip import events, handle
from linekey.phone.uses.sip.lines import describe_lines, line_rows
from linekey.phone.uses.use import Use

SIP = Use(
    name="sip",
    takes={
        events.LinesRead: handle.lines_read,
        events.LineMoved: handle.line_moved,
        events.LineNoted: handle.line_noted,
    },
    describe=describe_lines,
    rows=line_rows,
)
