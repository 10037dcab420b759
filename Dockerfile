# docker build --tag vanbench .
# docker run --rm --user "$(id -u)" --volume vanbench-cache:/cache --volume "$PWD:/work" vanbench list
#
# The build stage has git and the repository, so that records can name the commit of the code.
FROM python:3.13-slim AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.13-slim
COPY .ci/constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN python -m pip install --no-cache-dir --constraint /tmp/constraints.txt /tmp/wheels/*.whl \
 && useradd --create-home --uid 1000 vanbench \
 && install --directory --owner 1000 /cache /work
ENV VANBENCH_CACHE=/cache
VOLUME /cache
WORKDIR /work
USER 1000
ENTRYPOINT ["vanbench"]
CMD ["--help"]
