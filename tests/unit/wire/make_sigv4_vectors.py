#!/usr/bin/env python3
"""Print sigv4_vectors.h: requests signed by botocore's own signers, at one fixed moment.

Usage: make_sigv4_vectors.py > sigv4_vectors.h   (needs botocore)
"""
import datetime
import hashlib
import json
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 8, 1, 12, 30, 45)
KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
API = "https://127.0.0.1:9010"
S3 = "https://s3.localhost:9011"
ARN = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Amicrovm-image%3Ahello"

CASES = [  # signer, method, url, headers, body, seconds of a presigned one
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvms", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvm-images/{ARN}", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvm-images/{ARN.replace('%3A', ':')}", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvm-images/{ARN.lower()}", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09//a/./b/../microvms/", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/a%20b/%C3%A9~x%2Fy", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvms?maxResults=5&imageIdentifier={ARN}&nextToken=YQ%3D%3D", {}, b"", 0),
    ("SigV4Auth", "GET", f"{API}/2025-09-09/microvms?b=2&a=2&a=1&c", {}, b"", 0),
    ("SigV4Auth", "POST", f"{API}/2025-09-09/microvms",
     {"Content-Type": "application/json", "X-Amz-Meta-Blanks": "  a   b  "},
     b'{"imageIdentifier":"arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"}', 0),
    ("SigV4Auth", "POST", f"{API}/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     b"Action=GetCallerIdentity&Version=2011-06-15", 0),
    ("SigV4QueryAuth", "GET", f"{API}/2025-09-09/microvms", {}, b"", 900),
    ("S3SigV4Auth", "PUT", f"{S3}/apps/my%20app.zip", {"Content-MD5": "x"}, b"zip", 0),
    ("S3SigV4Auth", "GET", f"{S3}/apps/a//b/../c%2B%3D%28%29.zip?versionId=null&prefix=a%2Fb", {}, b"", 0),
    ("S3SigV4Auth", "GET", f"{S3}/apps?list-type=2&prefix=&encoding-type=url", {}, b"", 0),
    ("S3SigV4QueryAuth", "GET", f"{S3}/apps/my%20app.zip", {}, b"", 3600),
    ("S3SigV4QueryAuth", "PUT", f"{S3}/apps/x.zip?partNumber=1&uploadId=u", {}, b"", 604800),
]


def sign(signer, method, url, headers, body, expires):
    service = "s3" if signer.startswith("S3") else "lambda"
    extra = [expires] if expires else []
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    request.headers["Host"] = url.split("/")[2]
    getattr(botocore.auth, signer)(KEY, service, "us-east-1", *extra).add_auth(request)
    return request


def quoted(text):
    return json.dumps(text)


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW

    @classmethod
    def now(cls, tz=None):
        return NOW.replace(tzinfo=tz)


def main():
    print("/* Made by make_sigv4_vectors.py with botocore's signers; do not edit. */")
    print(f"#define VECTORS_AT_MS INT64_C({int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()) * 1000})")
    print(f'#define VECTORS_KEY {quoted(KEY.access_key)}\n#define VECTORS_SECRET {quoted(KEY.secret_key)}')
    print("/* clang-format off */\nstatic const struct vector vectors[] = {")
    for case in CASES:
        with mock.patch("datetime.datetime", Clock), \
             mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW, create=True):
            request = sign(*case)
        target = "/" + request.url.split("/", 3)[3] if request.url.count("/") > 2 else "/"
        body_hash = hashlib.sha256(case[4]).hexdigest()
        print(f'\t{{ {quoted(case[1])}, {quoted(target)}, "{body_hash}",')
        print(f'\t  {str(case[0].startswith("S3")).lower()}, {{')
        for name, value in request.headers.items():
            print(f'\t\t{{ {quoted(name.lower())}, {quoted(value.strip())} }},')
        print("\t  } },")
    print("};\n/* clang-format on */")


main()
