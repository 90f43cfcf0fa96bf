#!/usr/bin/env python3
"""Verifies, offline and with nothing of Tagout's, that a person signed exactly one decision.

    python3 verify_approval.py RECORD.json           (or `-` for standard input)
    python3 verify_approval.py ENTRY.json BODY.json  an exported ledger entry, and what it names

Exit code 0: it holds, and what was signed is printed. 1: it does not hold. 2: the record can't be read.

The record is a JSON object:

    {
      "document":   "...",   the approval document, its canonical text: hold, bytes, what was shown,
                             resources, ceilings, safeguards, policy, expiry
      "challenge":  "...",   the challenge, its canonical text: digests of the documents on the card,
                             decision, approver, nonce, the ledger's checkpoint when the card was drawn
      "assertion":  {        what the passkey answered, each part in base64url without padding
        "credential": "...", "authenticator_data": "...", "client_data": "...", "signature": "..." },
      "public_key": "...",   the passkey's public key, COSE (ES256, P-256), base64url
      "rp_id":      "...",   the console's relying party id
      "origin":     "..."    the console's origin
    }

The second form takes one line of `tagout ledger export` of type `judged`, and the body that the entry
names (a file beside the log). The body must have the SHA-256 that the entry says; the record is made of
the entry's signature and of the document for the entry's hold. Whether the entry is in the log is for
verify_ledger.py.

What is checked, in this order:
  1. SHA-256("tagout/approval/v1" 0x00 document) is among the challenge's `approvals`.
  2. SHA-256("tagout/approve/v1" 0x00 challenge) is the challenge in the client data, which is of type
     `webauthn.get`, from this origin, and not from inside another site's frame.
  3. The authenticator data is for this relying party, with a present and verified person.
  4. The signature over authenticator data and SHA-256(client data) holds for the public key.
Whether the public key is the approver's is for you to know: compare it with the one enrolled.
"""

import base64
import hashlib
import json
import re
import sys

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
USER_PRESENT, USER_VERIFIED = 0x01, 0x04
FIELDS = {"document", "challenge", "assertion", "public_key", "rp_id", "origin"}
PARTS = {"credential", "authenticator_data", "client_data", "signature"}


class Refused(Exception):
    """The record does not prove what it says."""


def require(condition, why):
    if not condition:
        raise Refused(why)


# The curve y^2 = x^3 - 3x + b over the integers modulo P. None is the point at infinity.


def add(one, other):
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiply(scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def ecdsa_holds(point, message, r, s):
    if not (1 <= r < N and 1 <= s < N):
        return False
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, N)
    sum_ = add(multiply(digest * inverse % N, G), multiply(r * inverse % N, point))
    return sum_ is not None and sum_[0] % N == r


def signature_numbers(der):
    """The two numbers of an ECDSA signature: SEQUENCE of two INTEGERs, DER."""
    match = re.fullmatch(rb"\x30(.)\x02(.)(.*)", der, re.DOTALL)
    require(match and match[1][0] == len(der) - 2, "the signature is malformed")
    length, rest = match[2][0], match[3]
    first, rest = rest[:length], rest[length:]
    require(rest[:1] == b"\x02" and len(rest) >= 2 and rest[1] == len(rest) - 2,
            "the signature is malformed")
    return positive(first), positive(rest[2:])


def positive(number):
    shortest = len(number) > 0 and number[0] < 0x80 and (
        number[0] != 0 or (len(number) > 1 and number[1] >= 0x80))
    require(shortest, "the signature is malformed")
    return int.from_bytes(number, "big")


def point_of(cose):
    """The point of the one COSE form in use: {1: 2, 3: -7, -1: 1, -2: x, -3: y}."""
    match = re.fullmatch(
        rb"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20(.{32})\x22\x58\x20(.{32})", cose, re.DOTALL)
    require(match, "the public key is not an ES256 key in its COSE form")
    x, y = (int.from_bytes(part, "big") for part in match.groups())
    on_curve = x < P and y < P and (y * y - (x * x * x - 3 * x + B)) % P == 0
    require(on_curve, "the public key is not on the curve")
    return x, y


def decode(text, part):
    require(isinstance(text, str), f"{part} is not text")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused(f"{part} is not base64url") from None
    canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()
    require(canonical == text, f"{part} is not base64url")
    return decoded


def members(text, part):
    """The members of a JSON object; none may occur twice."""

    def once(pairs):
        require(len({name for name, _ in pairs}) == len(pairs), f"{part} says something twice")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused(f"{part} is not JSON") from None
    require(isinstance(value, dict), f"{part} is not a JSON object")
    return value


def prefixed_hash(prefix, text):
    return hashlib.sha256(prefix.encode() + b"\0" + text.encode()).digest()


def check_client_data(client_data, challenge, origin):
    said = members(client_data, "the client data")
    require(said.get("type") == "webauthn.get", "the client data is of another type")
    require(said.get("challenge") == base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "another challenge was signed than this one")
    require(said.get("origin") == origin, "it was signed on another origin")
    require(said.get("crossOrigin", False) is False and "topOrigin" not in said,
            "it was signed inside another site's frame")


def check_authenticator_data(data, rp_id):
    require(len(data) >= 37, "the authenticator data is too short")
    require(data[:32] == hashlib.sha256(rp_id.encode()).digest(),
            "it was signed for another relying party")
    require(data[32] & USER_PRESENT, "nobody was present")
    require(data[32] & USER_VERIFIED, "the person was not verified")


def verify(record):
    """The document and the challenge, if the record holds; else raises Refused."""
    require(set(record) == FIELDS, f"the record must have exactly the fields {sorted(FIELDS)}")
    assertion = record["assertion"]
    require(isinstance(assertion, dict) and set(assertion) == PARTS,
            f"the assertion must have exactly the parts {sorted(PARTS)}")
    for field in FIELDS - {"assertion"}:
        require(isinstance(record[field], str), f"{field} is not text")
    parts = {name: decode(text, name) for name, text in assertion.items()}
    document = members(record["document"], "the document")
    challenge = members(record["challenge"], "the challenge")

    digest = prefixed_hash("tagout/approval/v1", record["document"]).hex()
    approvals = challenge.get("approvals")
    require(isinstance(approvals, list) and digest in approvals,
            "the document is not among what was signed")
    wanted = prefixed_hash("tagout/approve/v1", record["challenge"])
    check_client_data(parts["client_data"], wanted, record["origin"])
    check_authenticator_data(parts["authenticator_data"], record["rp_id"])
    signed = parts["authenticator_data"] + hashlib.sha256(parts["client_data"]).digest()
    point = point_of(decode(record["public_key"], "the public key"))
    require(ecdsa_holds(point, signed, *signature_numbers(parts["signature"])),
            "the signature does not hold")
    return document, challenge


def record_of(entry, body):
    """The record in an exported `judged` entry, whose documents are in the body that it names."""
    entry = entry.get("entry", entry)
    require(isinstance(entry, dict) and entry.get("type") == "judged",
            "the entry is not of type `judged`")
    require(entry.get("body") == "sha256:" + hashlib.sha256(body).hexdigest(),
            "the body is not the one that the entry names")
    signature = entry.get("signature")
    require(isinstance(signature, dict), "the entry carries no signature")
    texts = members(body.decode(errors="replace"), "the body").get("documents")
    require(isinstance(texts, list) and all(isinstance(text, str) for text in texts),
            "the body carries no documents")
    ours = [text for text in texts if members(text, "a document").get("hold") == entry.get("hold")]
    require(len(ours) == 1, "the body has no document, or several, for the entry's hold")
    challenge = members(str(signature.get("challenge")), "the challenge")
    require(challenge.get("approver") == signature.get("person"),
            "the entry names another person than the challenge")
    taken = {name: signature.get(name) for name in FIELDS - {"document"}}
    return {"document": ours[0], **taken}


def read(path):
    if path == "-":
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def plain(text):
    """Text that a terminal can't mistake for an order."""
    return json.dumps(text)


def main(arguments):
    if len(arguments) not in (2, 3):
        print("usage: verify_approval.py RECORD.json | ENTRY.json BODY.json", file=sys.stderr)
        return 2
    try:
        first, *body = [read(path) for path in arguments[1:]]
        text = first.decode()
    except (OSError, UnicodeDecodeError) as error:
        print(f"can't read it: {error}", file=sys.stderr)
        return 2
    try:
        record = members(text, "the record")
        document, challenge = verify(record_of(record, body[0]) if body else record)
    except Refused as why:
        print(f"NOT VERIFIED: {why}")
        return 1
    print("VERIFIED: the holder of this public key signed exactly this.")
    print("decision  ", plain(challenge.get("decision")))
    print("approver  ", plain(challenge.get("approver")))
    print("hold      ", plain(document.get("hold")))
    print("upstream  ", plain(document.get("upstream")))
    print("shown     ", plain(document.get("shown")))
    print("checkpoint", plain(challenge.get("checkpoint")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
