# The image of every part of sparring: mock detectors, orchestrator, load driver.
#
#   docker build -t sparring .                       compiles in the official Rust image
#   docker build -t sparring --target prebuilt .     takes dist/sparring, built outside for this base
#
# The stages are in this order so that a builder which runs all stages up to the target (the one
# before BuildKit) needs no Rust image for `prebuilt`.
ARG BASE_IMAGE=debian:bookworm-slim
ARG RUST_IMAGE=rust:1-slim-bookworm

# What both images have in common. No shell is needed to run, none is taken away either: the
# k6-operator's initializer wants one.
FROM ${BASE_IMAGE} AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin sparring \
 && install -d -o 10001 -g 10001 /data \
 && ln -s sparring /usr/local/bin/k6
COPY detectors.yaml /etc/sparring/detectors.yaml
COPY tests/k6 /scripts
USER 10001:10001
WORKDIR /data
ENV SPARRING_CONFIG=/etc/sparring/detectors.yaml
EXPOSE 8000
# What answers depends on the command; HEALTH_URL says where. The binary itself asks.
ENV HEALTH_URL=http://127.0.0.1:8000/health
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["sparring", "health"]
ENTRYPOINT ["sparring"]
CMD ["orchestrator"]

FROM runtime AS prebuilt
ARG BINARY=dist/sparring
COPY ${BINARY} /usr/local/bin/sparring

FROM ${RUST_IMAGE} AS build
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked --package sparring --config profile.dist.strip=true

FROM runtime AS compiled
COPY --from=build /source/target/dist/sparring /usr/local/bin/sparring
