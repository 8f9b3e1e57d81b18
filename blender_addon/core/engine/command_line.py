"""Splits a typed command into words, by the rules of the system on which it was typed."""

from __future__ import annotations

import os
import shlex


def split_command(text: str, windows: bool | None = None) -> list[str]:
    """The words of a command line.

    text: str, the command.
    windows: bool, whether Windows's rules hold; None for the rules of this system.
    Raises ValueError for a quote that is not closed.
    """
    if os.name == "nt" if windows is None else windows:
        return _split_windows(text)
    return shlex.split(text)


def _split_windows(text: str) -> list[str]:
    """Split by the rules of CommandLineToArgvW. A backslash is special only in a row before a double quote.

    There 2n backslashes give n, and the quote opens or closes; 2n + 1 give n and the quote itself.
    """
    words: list[str] = []
    word: list[str] = []
    begun = quoted = False
    backslashes = 0
    for letter in text:
        if letter == "\\":
            backslashes += 1
            continue
        if letter == '"':
            word.append("\\" * (backslashes // 2))
            begun = True
            if backslashes % 2:
                word.append('"')
            else:
                quoted = not quoted
            backslashes = 0
            continue
        if backslashes:
            word.append("\\" * backslashes)
            begun, backslashes = True, 0
        if letter in " \t\r\n" and not quoted:
            if begun:
                words.append("".join(word))
            word, begun = [], False
        else:
            word.append(letter)
            begun = True
    if quoted:
        raise ValueError("No closing quotation")
    if backslashes:
        word.append("\\" * backslashes)
        begun = True
    if begun:
        words.append("".join(word))
    return words
