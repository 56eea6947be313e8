"""``linekey completion``: the script by which a shell completes linekey's words.

Rule: it only prints. Which file a shell reads is the user's; nothing edits one.
"""

from typing import Annotated, Literal

import typer

from linekey.cli.opening import make_verb
from linekey.cli.output import emit_line

app = make_verb()

# One a line, "WORD<tab>what it does"; with no line the shell offers files.
_ASK = (
    "_LINEKEY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args "
    "_TYPER_COMPLETE_ARGS="
)

_SCRIPTS = {
    "bash": f"""\
# bash completion for linekey
_linekey() {{
    local line=${{COMP_LINE:0:COMP_POINT}} offer before
    local word=${{line##* }}
    # In bash a colon or an equals sign begins a new word.
    before=${{word%"${{word##*[:=]}}"}}
    COMPREPLY=()
    while IFS= read -r offer; do
        offer=${{offer%%$'\t'*}}
        [[ -n $offer ]] && COMPREPLY+=("${{offer#"$before"}}")
    done < <({_ASK}"$line" "$1" 2>/dev/null)
    # The kind of a layer is followed by its name, not by a space.
    [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *: ]] && compopt -o nospace
    return 0
}}
complete -o default -F _linekey linekey
""",
    "zsh": f"""\
#compdef linekey
# zsh completion for linekey
_linekey() {{
    local -a lines offers
    local line value
    lines=("${{(@f)$({_ASK}"${{(j: :)words[1,CURRENT]}}" \\
        ${{words[1]}} 2>/dev/null)}}")
    if [[ -z ${{lines[1]}} ]]; then
        _files
        return
    fi
    for line in "${{lines[@]}}"; do
        value=${{line%%$'\\t'*}}
        if [[ $line == *$'\\t'* ]]; then
            offers+=("${{value//:/\\\\:}}:${{line#*$'\\t'}}")
        else
            offers+=("${{value//:/\\\\:}}")
        fi
    done
    _describe linekey offers
}}
if [[ $funcstack[1] == _linekey ]]; then
    _linekey "$@"
else
    compdef _linekey linekey
fi
""",
    "fish": f"""\
# fish completion for linekey
function __linekey_complete
    set -l word (commandline -ct)
    set -l offers (env {_ASK}(commandline -cp | string collect) \\
        (commandline -op)[1] 2>/dev/null)
    if test -n "$offers"
        printf '%s\\n' $offers
    else
        __fish_complete_path $word
    end
end
complete --command linekey --no-files --arguments '(__linekey_complete)'
""",
}


@app.command()
def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="SHELL", help="bash, zsh or fish."),
    ],
) -> None:
    """Print what makes a shell complete commands, options and values.

    It changes no file; put it where your shell looks. For bash, zsh and fish:

        linekey completion bash > ~/.local/share/bash-completion/completions/linekey

        linekey completion zsh > ~/.zfunc/_linekey

        linekey completion fish > ~/.config/fish/completions/linekey.fish

    bash needs the package bash-completion, or this in ~/.bashrc:
    `eval "$(linekey completion bash)"`. zsh needs `fpath+=~/.zfunc` before `compinit`
    in ~/.zshrc.
    """
    emit_line(_SCRIPTS[shell].rstrip("\n"))
