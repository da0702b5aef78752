# Built with: docker build -t afterload .
# Run with:   docker run -p 8080:8080 -v afterload:/data afterload

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin afterload

FROM debian:bookworm-slim
# The roots of trust for statistics pages that are read over https.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 afterload \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin afterload \
    && install -d -o afterload -g afterload -m 0700 /data
COPY --from=build /src/target/release/afterload /usr/local/bin/afterload

USER 10001:10001
ENV AFTERLOAD_DATA=/data AFTERLOAD_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s --retries=3 CMD ["afterload", "healthcheck"]
ENTRYPOINT ["afterload"]
CMD ["serve"]
