"""Reads tables with Google's own client: a JSON line {"dataset", "table"} in, a line {"columns", "rows"} or null out.

{"dataset", "describe": table} describes a table as the API does; {"remove": dataset} removes a dataset with all its tables;
{"execute": statement} runs one. On standard input and output; or, with a third argument, for all who connect to that port of this machine.
"""

import datetime
import decimal
import json
import socketserver
import sys

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import InternalServerError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

endpoint, project = sys.argv[1:3]
if endpoint:
    client = bigquery.Client(
        project=project, credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=endpoint)
    )
else:
    client = bigquery.Client(project=project)


def time(value):
    return value.strftime("%H:%M:%S.") + f"{value.microsecond:06}"


def canonical(value, kind):
    if value is None:
        return None
    if kind == "JSON":
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return f"{value.year:04}-{value.month:02}-{value.day:02}T{time(value)}Z"
    if isinstance(value, datetime.date):
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    if isinstance(value, datetime.time):
        return time(value)
    return value


def answer_to(request):
    if dataset := request.get("remove"):
        client.delete_dataset(f"{project}.{dataset}", delete_contents=True, not_found_ok=True)
        return {}
    if statement := request.get("execute"):
        client.query(statement).result()
        return {}
    if table := request.get("describe"):
        return client.get_table(f"{project}.{request['dataset']}.{table}").to_api_repr()
    return read(request)


def read(request):
    name = f"{project}.{request['dataset']}.{request['table']}"
    try:
        table = client.get_table(name)
        schema, rows = table.schema, client.list_rows(table)
    except NotFound:
        return None
    except InternalServerError:
        # The emulator estimates a table's rows, sometimes as -1, and then cannot describe it.
        rows = client.query(f"SELECT * FROM `{name}`").result()
        schema = rows.schema
    kinds = [field.field_type for field in schema]
    return {
        "columns": [field.name for field in schema],
        "rows": [[canonical(v, k) for v, k in zip(row.values(), kinds)] for row in rows],
    }


def answer_line(line):
    try:
        answer = answer_to(json.loads(line))
    except Exception as error:  # told to the test, which fails with it
        answer = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps(answer)


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(answer_line(line).encode() + b"\n")


class Reader(socketserver.ThreadingTCPServer):
    daemon_threads = True


if len(sys.argv) > 3:
    Reader(("127.0.0.1", int(sys.argv[3])), Connection).serve_forever()
for line in sys.stdin:
    print(answer_line(line), flush=True)
