"""Four projects of the kinds that people have, made from scratch. None of them knows of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FASTAPI_SRC: Mapping[str, str] = {
    "pyproject.toml": """\
# Kept by hand.
[project]
name = "orders-api"
version = "1.4.0"
requires-python = ">=3.11"
dependencies = [
    "fastapi>=0.110",
    "uvicorn>=0.30",
]

[dependency-groups]
dev = ["httpx>=0.27", "mypy>=1.10", "pytest>=8"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["src/orders"]

[tool.ruff]
line-length = 100

[tool.mypy]
strict = true
""",
    "src/orders/__init__.py": '"""Orders."""\n',
    "src/orders/main.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/healthz")
def health() -> dict[str, str]:
    return {"status": "ok"}


def total(prices: list[int]) -> int:
    return sum(prices)
""",
    "tests/test_orders.py": """\
from orders.main import app, health, total


def test_total() -> None:
    assert total([1, 2]) == 3


def test_health() -> None:
    assert health() == {"status": "ok"}
    assert any(getattr(route, "path", "") == "/healthz" for route in app.routes)
""",
}

POETRY_FLASK: Mapping[str, str] = {
    "pyproject.toml": """\
[tool.poetry]
name = "guestbook"
version = "0.3.1"
description = "A guestbook"
authors = ["A <a@example.org>"]
package-mode = false

[tool.poetry.dependencies]
python = "^3.9"
flask = "^3.0"

[tool.poetry.group.dev.dependencies]
pytest = "*"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
""",
    "guestbook/__init__.py": """\
from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def index() -> str:
        return "hello"

    return app
""",
    "tests/test_guestbook.py": """\
from guestbook import create_app


def test_index():
    assert create_app().test_client().get("/").text == "hello"
""",
    "README.md": "# Guestbook\n",
}

DJANGO_POSTGRES: Mapping[str, str] = {
    "requirements.txt": "Django>=5.0,<6\npsycopg[binary]>=3.2  # the driver\n",
    "manage.py": """\
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """\
import os

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-tests")
INSTALLED_APPS = ["catalogue"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DB_HOST", "localhost"),
        "PORT": os.environ.get("DB_PORT", "5432"),
        "NAME": os.environ.get("DB_NAME", "shop"),
        "USER": os.environ.get("DB_USER", "shop"),
        "PASSWORD": os.environ.get("DB_PASSWORD", ""),
    }
}
""",
    "shop/wsgi.py": """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
""",
    "catalogue/__init__.py": "",
    "catalogue/models.py": """\
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
""",
    "catalogue/migrations/__init__.py": "",
    "catalogue/migrations/0001_initial.py": """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
            ],
        )
    ]
""",
    "catalogue/tests.py": """\
from django.db import connection
from django.test import TestCase

from catalogue.models import Product


class ProductTest(TestCase):
    def test_saved(self):
        Product.objects.create(name="tea")
        assert connection.vendor == "postgresql"
        assert Product.objects.get().name == "tea"
""",
    "docker-compose.yml": "services:\n  db:\n    image: postgres:15-alpine\n",
}

SCRIPT: Mapping[str, str] = {
    "wordcount.py": """\
import sys


def count(text):
    return len(text.split())


if __name__ == "__main__":
    print(count(sys.stdin.read()))
""",
    "test_wordcount.py": "from wordcount import count\n\n\ndef test_count():\n    assert count('a b') == 2\n",
}

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "fastapi": FASTAPI_SRC,
    "poetry": POETRY_FLASK,
    "django": DJANGO_POSTGRES,
    "script": SCRIPT,
}
