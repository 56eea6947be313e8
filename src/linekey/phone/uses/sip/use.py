"""SIP: the phone's lines and their registrations."""

from linekey.phone.uses.sip.events import LineMoved, LineNoted, LinesRead
from linekey.phone.uses.sip.handle import line_moved, line_noted, lines_read
from linekey.phone.uses.sip.lines import describe_lines, line_rows
from linekey.phone.uses.use import Use

SIP = Use(
    name="sip",
    takes={LinesRead: lines_read, LineMoved: line_moved, LineNoted: line_noted},
    describe=describe_lines,
    rows=line_rows,
)
