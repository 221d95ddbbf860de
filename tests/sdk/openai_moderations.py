"""The official OpenAI client against a mock that speaks its dialect.

    pip install openai
    python tests/sdk/openai_moderations.py target/debug/sparring
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

import openai

FLEET = """
detectors:
  moderation:
    endpoint: http://127.0.0.1:1/v1/moderations
    dialect: open_ai
"""


def patch(base, change):
    request = urllib.request.Request(
        f"{base}/__admin/profile", json.dumps(change).encode(), method="PATCH"
    )
    urllib.request.urlopen(request, timeout=5).close()


def check(base):
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="sk-test", max_retries=0)
    answer = client.moderations.create(input=["fine", "I will kill you"])
    assert answer.model == "omni-moderation-latest", answer
    clean, violent = answer.results
    assert not clean.flagged and violent.flagged, answer
    assert violent.categories.violence and violent.category_scores.violence > 0.5, violent
    assert violent.category_applied_input_types.violence == ["text"], violent
    one = client.moderations.create(model="text-moderation-latest", input="you idiot")
    assert one.results[0].categories.harassment, one
    for status, error in [
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (401, openai.AuthenticationError),
    ]:
        kind = {"status": {"code": status, "retry_after_s": 1}}
        patch(base, {"success_rate": 0, "failures": [{"kind": kind}]})
        try:
            client.moderations.create(input="x")
        except error as raised:
            assert raised.status_code == status and raised.body["message"], raised
        else:
            raise AssertionError(f"{status} raised nothing")
    patch(base, {"failures": [{"kind": {"reset": {}}}]})
    try:
        client.moderations.create(input="x")
    except openai.APIConnectionError:
        pass
    else:
        raise AssertionError("a reset raised nothing")
    patch(base, {"success_rate": 1, "latency": {"constant": {"ms": 3000}}})
    try:
        client.with_options(timeout=0.2).moderations.create(input="x")
    except openai.APITimeoutError:
        pass
    else:
        raise AssertionError("a late answer raised nothing")


def main(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "detectors.yaml")
        with open(path, "w") as file:
            file.write(FLEET)
        command = [binary, "mock", "--port", "0", "moderation", "-c", path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mock:
            try:
                base = re.search(r"http://\S+", mock.stdout.readline()).group()
                check(base)
            finally:
                mock.terminate()
    print("the OpenAI client parses answers and raises its own errors")


if __name__ == "__main__":
    main(sys.argv[1])
