"""The shop's pages: what a real site does, and for tests what it was told by the server."""

import hashlib
import os

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import FileResponse, Http404, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from .forms import ProductForm, UploadForm
from .models import Product
from .wares import EDITION


def index(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    shown = {"products": Product.objects.all(), "visits": request.session["visits"], "edition": EDITION}
    return render(request, "catalogue/index.html", shown)


@login_required
def add(request):
    form = ProductForm(request.POST or None)
    if form.is_valid():
        product = form.save()
        messages.success(request, f"{product} is in the catalogue.")
        return redirect("index")
    return render(request, "catalogue/form.html", {"form": form, "title": "Add a product"})


@login_required
def upload(request):
    form = UploadForm(request.POST or None, request.FILES or None)
    if not form.is_valid():
        return render(request, "catalogue/form.html", {"form": form, "title": "Upload"})
    file, checksum = form.cleaned_data["file"], hashlib.sha256()
    for piece in file.chunks():
        checksum.update(piece)
    told = {"title": form.cleaned_data["title"], "name": file.name, "size": file.size}
    return JsonResponse({**told, "sha256": checksum.hexdigest(), "temporary": isinstance(file, TemporaryUploadedFile)})


def stream(request, fifo):
    """A line at once, and the rest when somebody has written to a fifo."""

    def lines():
        yield "the first line\n"
        with open(settings.VAR / fifo) as news:
            for line in news:
                if line == "jam\n":
                    raise RuntimeError("the conveyor is jammed")
                yield line
        yield "the last line\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def download(request, name):
    try:
        file = open(settings.VAR / name, "rb")  # noqa: SIM115 - the response closes it
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(file, as_attachment=True)


def facts(request):
    told = {key: request.META[key] for key in ("SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "SERVER_PROTOCOL")}
    told |= {key: request.META[f"wsgi.{key}"] for key in ("multithread", "multiprocess", "run_once")}
    told |= {"pid": os.getpid(), "index": reverse("index"), "absolute": request.build_absolute_uri()}
    return JsonResponse(told)


def broken(request):
    raise RuntimeError("the till is jammed")
