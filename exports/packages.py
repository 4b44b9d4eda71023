"""The archives that a person saves: one, and one apart for private topics.

Each is made in one go of files that are whole, and made again where a worker was killed in it: the same files
give the same archive, but for its date.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from consent.vocabulary import Category, categories_of_scope
from exports import attachments, leases, manifests, reading, readme
from exports.choices import NDJSON, TOO_LARGE, chosen_categories
from exports.formats import ccd, csv_results, ips, summary_pdf
from exports.formats.about import About, LeftOut, Why
from exports.formats.about import Source as AboutSource
from exports.formats.held import Format
from exports.manifests import Item
from exports.models import ExportFile, ExportJob
from exports.requesters import requester
from exports.writing import Writer
from fhirproxy.models import Source

KEPT = timedelta(days=7)
PIECE = 1024 * 1024
NOT_A_TYPE = 0  # in place of the number of an EHR: a document
MOST_IN_A_SUMMARY = 48 * 1024 * 1024  # bytes of records: a summary is made in memory, all of it at once
DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)  # so that 4.10 keeps its digits
# What holds no private topic by its nature; everything else may be without some.
PLAIN = frozenset({Category.DEMOGRAPHICS, Category.CONTACT, Category.INSURANCE})
Resource = dict[str, Any]
MAKE: dict[str, tuple[str, Callable[[Iterable[Resource], About], bytes | Iterator[bytes]]]] = {
    Format.PDF: ("summary.pdf", summary_pdf.file),
    Format.IPS: ("summary.ips.json", ips.file),
    Format.CCD: ("summary.ccd.xml", ccd.file),
    Format.CSV: ("results.csv", csv_results.file),
}


def make(job: ExportJob, sources: Sequence[Source]) -> list[ExportFile]:
    """The archives of a job, as rows that are whole. Raises leases.Stopped and OSError."""
    packages = [Package(job, sources, is_private=False)]
    if job.files.filter(kind=ExportFile.Kind.OUTPUT, is_private=True, count__gt=0).exists():
        packages.append(Package(job, sources, is_private=True))
    made = [package.make() for package in packages]
    lost = [{**left, "number": NOT_A_TYPE} for package in packages for left in package.lost]
    leases.write(job, left_out=[*_of_sources(job), *lost])
    return made


def _of_sources(job: ExportJob) -> list[dict[str, Any]]:
    """What is left out since an EHR did not answer; without what an earlier run, killed here, noted last."""
    return [left for left in job.left_out if left["number"] != NOT_A_TYPE]


class Package:
    def __init__(self, job: ExportJob, sources: Sequence[Source], *, is_private: bool) -> None:
        self.job, self.sources, self.is_private = job, sources, is_private
        outputs = job.files.filter(kind=ExportFile.Kind.OUTPUT, is_private=is_private)
        # A type that was asked for and has nothing is there, and empty.
        always = () if is_private else job.resource_types
        self.files = [
            file
            for file in outputs.order_by("number", "resource_type")
            if file.count or file.resource_type in always
        ]
        self.items: list[Item] = []
        self.lost: list[dict[str, str]] = []  # documents that could not be had
        self.left_out = list(self._left_out())

    def make(self) -> ExportFile:
        kind = ExportFile.Kind.PACKAGE
        file, _ = self.job.files.get_or_create(kind=kind, is_private=self.is_private)
        file.size, file.sha256, file.tail = 0, "", b""
        with Writer(file, self.job.wrapped_key) as writer:
            with zipfile.ZipFile(writer, "w", zipfile.ZIP_DEFLATED) as archive:
                self._fill(archive)
            file.count = sum(output.count for output in self.files)
            writer.end()
        with transaction.atomic():
            leases.write(self.job)
            file.save()
        return file

    def _fill(self, archive: zipfile.ZipFile) -> None:
        if NDJSON in self.job.formats:
            for file in self.files:
                with reading.opened(file, self.job) as content:
                    self._add(archive, self._name(file), iter(partial(content.read, PIECE), b""), file)
        self._add_summaries(archive)
        for file in self.files:
            if file.resource_type == "DocumentReference":
                self._add_documents(archive, file)
        self._add_readme(archive)
        manifest = self._manifest()
        if not self.is_private:
            leases.write(self.job, manifest=manifest, signature=manifests.sign(manifest))
        archive.writestr(
            self._info("manifest.json"), msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        )
        archive.writestr(self._info("manifest.jws"), manifests.sign(manifest))

    def _add(
        self,
        archive: zipfile.ZipFile,
        name: str,
        content: Iterable[bytes],
        output: ExportFile | None = None,
    ) -> None:
        digest, size = hashlib.sha256(), 0
        with archive.open(self._info(name), "w", force_zip64=True) as entry:
            for piece in content:
                digest.update(piece)
                size += entry.write(piece)
                leases.keep(self.job)
        self.items.append(Item(name, size, digest.hexdigest(), output))

    def _add_summaries(self, archive: zipfile.ZipFile) -> None:
        wanted = [each for each in MAKE if each in self.job.formats]
        if not wanted:
            return
        if sum(file.size for file in self.files) > MOST_IN_A_SUMMARY:
            self.left_out += [{"what": each, "why": TOO_LARGE} for each in wanted]
            return
        resources = [DECODER.decode(line) for line in reading.lines(self.files, self.job)]
        about = self._about(resources)
        if self.is_private:
            resources.append(dict(about.patient))
        for each in wanted:
            name, file = MAKE[each]
            leases.write(self.job)
            made = file(resources, about)
            self._add(archive, name, [made if isinstance(made, bytes) else b"".join(made)])

    def _add_documents(self, archive: zipfile.ZipFile, file: ExportFile) -> None:
        source = self.sources[file.number - 1]
        for name, content in attachments.of(self.job, file, source):
            name = self._below(file, f"documents/{name}")
            if content is None:
                self.lost.append({"what": name, "why": Why.MISSING})
                self.left_out.append(self.lost[-1])
            else:
                self._add(archive, name, content)

    def _add_readme(self, archive: zipfile.ZipFile) -> None:
        text = readme.text(self.job, self.items, self.left_out, is_private=self.is_private)
        self._add(archive, "README.txt", [text.encode()])

    def _manifest(self) -> dict[str, Any]:
        asking = requester(self.job, is_private=self.is_private)
        consent: dict[str, str | int] = {
            "reference": f"Patient/{self.job.patient_id}",
            "version": asking.epoch,
        }
        if asking.consent_id:
            consent = {"reference": f"Consent/{asking.consent_id}", "version": asking.consent_number or 0}
        return manifests.of(
            self.job,
            self.items,
            is_private=self.is_private,
            left_out=self.left_out,
            consent=consent,
            expires_at=timezone.now() + KEPT,
        )

    def _about(self, resources: Sequence[Resource]) -> About:
        user, patient = self.job.who, self.job.whose
        known = [*resources, *self._patients()]
        unnamed = {"resourceType": "Patient", "id": "unknown", "name": [{"text": patient.name}]}
        return About(
            patient=next((r for r in known if r["resourceType"] == "Patient"), unnamed),
            sources=tuple(AboutSource(s.fhir_url, s.name, self.job.created_at) for s in self.sources),
            custodian=settings.CLINIC_NAME,
            made_at=self.job.created_at,
            language=user.language,
            time_zone=user.time_zone or settings.TIME_ZONE,
            left_out=tuple(
                LeftOut(left["what"], Why(left["why"]))
                for left in self.left_out
                if left["what"] in set(Category) and left["why"] in set(Why)
            ),
        )

    def _patients(self) -> Iterator[Resource]:
        """Who it is, also in the package apart."""
        found = self.job.files.filter(resource_type="Patient", is_private=False).order_by("number")
        return (DECODER.decode(line) for line in reading.lines(found, self.job))

    def _left_out(self) -> Iterator[dict[str, str]]:
        """Kinds of record that are not here, or not all of them, and why."""
        chosen = chosen_categories(self.job)
        helps = self.job.whose.user_id != self.job.requested_by_id
        for category in Category:
            if category not in chosen:
                yield {"what": category, "why": Why.NOT_SHARED if helps else Why.CHOSEN}
            elif not self.is_private and category not in PLAIN:
                yield {"what": category, "why": Why.PRIVATE}
        for left in _of_sources(self.job):
            yield {"what": left["what"], "why": left["why"]}
            yield from ({"what": c, "why": left["why"]} for c in sorted(categories_of_scope(left["what"])))

    def _name(self, file: ExportFile) -> str:
        return self._below(file, f"{file.resource_type}.ndjson")

    def _below(self, file: ExportFile, name: str) -> str:
        """With several EHRs, each has a folder, by its name as far as a file can be called so."""
        if len(self.sources) == 1:
            return name
        folders = [slugify(source.name) or source.slug for source in self.sources]
        folder, slug = folders[file.number - 1], self.sources[file.number - 1].slug
        return f"{folder if folders.count(folder) == 1 else f'{folder}-{slug}'}/{name}"

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self.job.created_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        return info
