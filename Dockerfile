# A small image: the program that `make install` installs, with all features, and the C library.
#   docker build -t telefile .
# How to run it: tutorial/reference/install.md

FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make install FEATURES=etcd-tls PREFIX=/usr DESTDIR=/image
RUN mkdir -p /image/var/lib/telefile

# distroless: no shell and no packages. Its user 65532 is called nonroot.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/bin/telefile /usr/bin/telefile
# The settings are the weakest, so that each variable and each argument wins, also TELEFILE_ETCD.
COPY --from=build /image/etc/telefile/telefile.toml /etc/telefile/telefile.toml
COPY --from=build --chown=65532:65532 /image/var/lib/telefile /var/lib/telefile
# Other machines, or at least the host, have to reach it. Without a token it refuses to start.
ENV TELEFILE_LISTEN=0.0.0.0:8080 TELEFILE_CONFIG=/etc/telefile/telefile.toml
VOLUME /var/lib/telefile
EXPOSE 8080
ENTRYPOINT ["/usr/bin/telefile"]
CMD ["serve"]
