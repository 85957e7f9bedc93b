"""What dlt's own rest_api makes of the cases in rest_api_cases.json, as JSON on standard output.

For each configuration "valid" or "refused"; for each sequence the requests dlt makes of a server that gives those pages one
after the other, and the records, or the error it ends with.
"""

import http.server
import json
import pathlib
import sys
import threading
import urllib.parse

from dlt.sources.rest_api import rest_api_source

CASES = json.loads(pathlib.Path(__file__).with_name("rest_api_cases.json").read_text())


def configuration(case):
    """A whole configuration of the part that a case gives."""
    whole = {"client": {"base_url": "https://api.example.com"}, "resources": ["r"]}
    if "config" in case:
        return case["config"]
    whole["client"].update(case.get("client", {}))
    if "auth" in case:
        whole["client"]["auth"] = case["auth"]
    if "resources" in case:
        whole["resources"] = case["resources"]
    if "resource" in case:
        whole["resources"] = [{"name": "r", **case["resource"]}]
    if "endpoint" in case:
        whole["resources"] = [{"name": "r", "endpoint": case["endpoint"]}]
    if "paginator" in case:
        whole["resources"] = [{"name": "r", "endpoint": {"paginator": case["paginator"]}}]
    return whole


def judge(case):
    try:
        rest_api_source(configuration(case), name="s")
        return "valid"
    except Exception:
        return "refused"


class Pages(http.server.ThreadingHTTPServer):
    """Gives pages in their order, then an error that is not tried again."""

    def __init__(self, pages):
        self.pages, self.asked = pages, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        self.rfile.read(int(self.headers.get("content-length", 0)))
        at = len(server.asked)
        server.asked.append(urllib.parse.unquote(self.path))
        page = server.pages[at] if at < len(server.pages) else {"status": 418, "body": {}}
        body = json.dumps(page["body"]).replace("{url}", server.url).encode()
        if page.get("status") == 204:
            body = b""
        self.send_response(page.get("status", 200))
        for name, value in page.get("headers", {}).items():
            self.send_header(name, value.replace("{url}", server.url))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def play(case):
    server = Pages(case["pages"])
    config = {"client": {"base_url": server.url}, "resources": [{"name": "r", "endpoint": case.get("endpoint", {})}]}
    try:
        source = rest_api_source(config, name="s")
        records = [r.get("id") if isinstance(r, dict) else r for r in source.resources["r"]]
        return {"requests": server.asked, "records": records}
    except Exception as error:
        return {"requests": server.asked, "error": str(error)}
    finally:
        server.shutdown()


json.dump(
    {
        "configurations": [judge(case) for case in CASES["configurations"]],
        "sequences": [play(case) for case in CASES["sequences"]],
    },
    sys.stdout,
)
