#!/usr/bin/env python3
"""Checks a Tagout ledger with nothing but Python's standard library.

    verify_ledger.py DIRECTORY VERIFIER_KEY [--index N] [--proof FILE]

It checks the checkpoint's signature, hashes every entry, compares each hash with its tile, computes the
root, and checks an inclusion proof (of entry N, by default the last) that it computes from the tiles
alone. With --proof it also checks a `tlog-proof@v1` file against the entry it names.

VERIFIER_KEY is `name+hash+base64`; get it from somewhere else than the ledger's own host. The formats are
those of c2sp.org: signed-note, tlog-checkpoint, tlog-tiles, tlog-proof. It shares no code with Tagout.

Exit codes: 0 sound, 1 not sound, 2 wrong usage.
"""

import argparse
import base64
import binascii
import hashlib
import os
import struct
import sys


class Unsound(Exception):
    """The ledger is not what was signed."""


# Ed25519 verification, after RFC 8032 section 5.1.7. Slow, and not for secrets: it only verifies.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def point_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar, p):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, p)
        p, scalar = point_add(p, p), scalar >> 1
    return result


def point_decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def same_point(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = point_decompress(public), point_decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    return same_point(point_multiply(s, BASE), point_add(r, point_multiply(k, a)))


# Signed notes and checkpoints


def decode_base64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unsound(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Unsound(f"{what} is not canonical base64")
    return data


def parse_key(text):
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Unsound("the verifier key is not `name+hash+base64`")
    name, key_hash, key = parts[0], parts[1], decode_base64(parts[2], "the verifier key")
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if len(key) != 33 or key[0] != 1 or key_id.hex() != key_hash:
        raise Unsound("the verifier key is malformed")
    return name, key_id, key[1:]


def open_note(note, verifier_key):
    name, key_id, public = parse_key(verifier_key)
    if any(ord(c) < 32 and c != "\n" for c in note):
        raise Unsound("the checkpoint contains control characters")
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Unsound("the checkpoint is not a signed note")
    text += "\n"
    verified = False
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Unsound("a signature line has the wrong form")
        blob = decode_base64(parts[2], "a signature")
        if parts[1] == name and blob[:4] == key_id:
            if not ed25519_verify(public, text.encode(), blob[4:]):
                raise Unsound("the signature of the checkpoint is wrong")
            verified = True
    if not verified:
        raise Unsound("the checkpoint is not signed by this key")
    return name, text


def open_checkpoint(note, verifier_key):
    name, text = open_note(note, verifier_key)
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or lines[0] != name:
        raise Unsound("the signed text is not a checkpoint of this log")
    if not (lines[1].isascii() and lines[1].isdigit() and str(int(lines[1])) == lines[1]):
        raise Unsound("the tree size is malformed")
    root = decode_base64(lines[2], "the root")
    return int(lines[1]), root


# RFC 6962


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """The Merkle tree hash of a list of leaf hashes, level by level."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + (hashes[-1:] if len(hashes) % 2 else [])
    return hashes[0]


def check_inclusion(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        raise Unsound(f"entry {index} is beyond the checkpoint of {size}")
    at, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Unsound("the inclusion proof is too long")
        if at & 1 or at == last:
            result = node_hash(sibling, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        at, last = at >> 1, last >> 1
    if last or result != root:
        raise Unsound("the inclusion proof does not lead to the signed root")


# The files of tlog-tiles


class Tiles:
    def __init__(self, directory, size):
        self.directory, self.size = directory, size

    def read(self, kind, level, index):
        """A tile or bundle with its width; a partial one may have grown into the full one since."""
        width = min(256, (self.size >> (8 * level)) - 256 * index)
        path = f"{index % 1000:03}"
        rest = index // 1000
        while rest:
            path, rest = f"x{rest % 1000:03}/{path}", rest // 1000
        full = os.path.join(self.directory, "tile", kind, path)
        for name in [full] if width == 256 else [f"{full}.p/{width}", full]:
            try:
                with open(name, "rb") as file:
                    return file.read(), width
            except FileNotFoundError:
                continue
        raise Unsound(f"{full} is missing")

    def entries(self, index):
        data, width = self.read("entries", 0, index)
        entries, at = [], 0
        while at < len(data):
            if at + 2 > len(data):
                raise Unsound(f"entry bundle {index} is cut short")
            (length,) = struct.unpack_from(">H", data, at)
            entry = data[at + 2 : at + 2 + length]
            if len(entry) != length:
                raise Unsound(f"entry bundle {index} is cut short")
            entries.append(entry)
            at += 2 + length
        if len(entries) < width:
            raise Unsound(f"entry bundle {index} has {len(entries)} entries instead of {width}")
        return entries[:width]

    def hashes(self, level, index):
        data, width = self.read(str(level), level, index)
        if len(data) % 32 or len(data) < 32 * width:
            raise Unsound(f"tile {level}/{index} has the wrong length")
        return [data[i : i + 32] for i in range(0, 32 * width, 32)]

    def range_root(self, start, end):
        """The hash over leaves start..end, from the highest tiles that have it."""
        count = end - start
        if count & (count - 1) or start % count:
            middle = start + (1 << ((count - 1).bit_length() - 1))
            return node_hash(self.range_root(start, middle), self.range_root(middle, end))
        level = (count.bit_length() - 1) // 8
        first, length = start >> (8 * level), count >> (8 * level)
        return tree_root(self.hashes(level, first // 256)[first % 256 : first % 256 + length])

    def prove(self, index):
        start, end, path = 0, self.size, []
        while end - start > 1:
            middle = start + (1 << ((end - start - 1).bit_length() - 1))
            if index < middle:
                path.append(self.range_root(middle, end))
                end = middle
            else:
                path.append(self.range_root(start, middle))
                start = middle
        return path[::-1]


def check_proof_file(path, entry_at, verifier_key):
    with open(path, encoding="utf-8", newline="") as file:
        head, _, note = file.read().partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1":
        raise Unsound("not a tlog-proof@v1 file")
    if len(lines) > 1 and lines[1].startswith("extra "):
        del lines[1]
    number = lines[1][6:] if len(lines) > 1 and lines[1].startswith("index ") else ""
    if not (number.isascii() and number.isdigit()):
        raise Unsound("the proof file names no index")
    size, root = open_checkpoint(note, verifier_key)
    proof = [decode_base64(line, "a proof line") for line in lines[2:]]
    check_inclusion(leaf_hash(entry_at(int(number))), int(number), size, proof, root)
    return int(number)


def verify(directory, verifier_key, index, proof_file):
    with open(os.path.join(directory, "checkpoint"), encoding="utf-8", newline="") as file:
        size, root = open_checkpoint(file.read(), verifier_key)
    tiles = Tiles(directory, size)
    leaves = []
    for bundle in range((size + 255) // 256):
        stored = tiles.hashes(0, bundle)
        for entry, hashed in zip(tiles.entries(bundle), stored):
            if leaf_hash(entry) != hashed:
                raise Unsound(f"entry {len(leaves)} does not match its tile")
            leaves.append(hashed)
    if tree_root(leaves) != root:
        raise Unsound("the entries do not lead to the signed root")
    print(f"checkpoint: signature good, {size} entries, root {root.hex()}")
    if size:
        index = size - 1 if index is None else index
        if index >= size:
            raise Unsound(f"entry {index} is beyond the checkpoint of {size}")
        check_inclusion(leaves[index], index, size, tiles.prove(index), root)
        print(f"inclusion: entry {index} is proved by the tiles")
    if proof_file:
        proved = check_proof_file(proof_file, lambda i: tiles.entries(i // 256)[i % 256], verifier_key)
        print(f"proof file: good for entry {proved}")


def main():
    parser = argparse.ArgumentParser(description="Checks a Tagout ledger.")
    parser.add_argument("directory")
    parser.add_argument("verifier_key")
    parser.add_argument("--index", type=int)
    parser.add_argument("--proof", metavar="FILE")
    arguments = parser.parse_args()
    try:
        verify(arguments.directory, arguments.verifier_key, arguments.index, arguments.proof)
    except (Unsound, OSError, UnicodeDecodeError, IndexError) as error:
        print(f"NOT SOUND: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
