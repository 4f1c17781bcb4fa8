# The auditor alone, without the libraries that train models. It reads rounds that are mounted
# read-only, and needs neither a network nor a place to write. docs/threat-model.md says how to run it.
FROM python:3.13 AS build
WORKDIR /source
COPY requirements.txt ./
RUN python -m venv /opt/ariba \
    && /opt/ariba/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY ariba_cli ariba_cli
RUN /opt/ariba/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/ariba /opt/ariba
# This user owns no file of the image, and so can change none.
USER 65534:65534
WORKDIR /round
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/opt/ariba/bin/ariba"]
CMD ["--help"]
