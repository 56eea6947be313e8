"""The settings of what phones must know to trust this server (``linekey.settings``)."""

from linekey.section import Files, Section


class AnchorSettings(Section):
    """The root of this server's certificate, in the files of other makers' phones
    (docs/howto/other-makers.md)."""

    in_files: bool = True
    """Whether these files carry it, so that the phone accepts this server once it
    verifies. False: only CAs that a layer holds are in them."""
    file: Files = ()
    """PEM file with that root, or a list of files, where the file of ``certificate``
    ends without it and no public list has it. A relative path starts at the state
    folder."""
