"""Reads messages from a queue and prints each as a line of JSON: what came with it, its parsed body, and what the schema says.

python3 read_events.py URL QUEUE COUNT CONTENT-TYPE=SCHEMA …
"""

import json
import sys

import jsonschema
import pika

url, queue, count, *schemas = sys.argv[1:]
validators = {}
for content_type, _, path in (each.rpartition("=") for each in schemas):
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.FormatChecker()
    validators[content_type] = jsonschema.Draft202012Validator(schema, format_checker=checker)

connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
left = int(count)
for method, properties, body in channel.consume(queue, inactivity_timeout=30):
    if method is None:
        sys.exit(f"{left} of {count} messages did not come")
    parsed = json.loads(body.decode("utf-8"))
    message = {
        "content_type": properties.content_type,
        "content_encoding": properties.content_encoding,
        "delivery_mode": properties.delivery_mode,
        "message_id": properties.message_id,
        "type": properties.type,
        "timestamp": properties.timestamp,
        "headers": properties.headers,
        "routing_key": method.routing_key,
        "body": parsed,
        "problems": [error.message for error in validators[properties.content_type].iter_errors(parsed)],
    }
    print(json.dumps(message), flush=True)
    channel.basic_ack(method.delivery_tag)
    left -= 1
    if left == 0:
        break
connection.close()
