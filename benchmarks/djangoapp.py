"""A whole Django project in one file: one view, the middleware of a new project that needs no database, a template.

Copied beside `wsgiapp.py`; imports nothing of the benchmarks.  `pip install django`.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.shortcuts import render
from django.urls import path

PAGE = "<!DOCTYPE html><title>{{ title }}</title><ul>{% for row in rows %}<li>{{ row }}</li>{% endfor %}</ul>\n"

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    INSTALLED_APPS=["django.contrib.staticfiles"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not a secret: nothing is signed here",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"page.html": PAGE})]},
        }
    ],
)


def page(request: Any) -> Any:
    """A small page; `X-Process` tells which process made it, so that a reload can be seen."""
    response = render(request, "page.html", {"title": "Rows", "rows": range(20)})
    response["X-Process"] = str(os.getpid())
    return response


urlpatterns = [path("", page)]
application = get_wsgi_application()
