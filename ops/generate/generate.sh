#!/usr/bin/env bash
# Makes gen/ from proto/ (TypeScript, Go, OpenAPI, descriptors) and docs/configuration.md. Needs npm and Go.
# With --prepare it only fetches what `buf lint` and `buf breaking` need.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="$PWD/.cache"
here=ops/generate

if [ ! "$here/node_modules/.package-lock.json" -nt "$here/package-lock.json" ]; then
  npm ci --prefix "$here" --ignore-scripts --silent
fi
google="$here/node_modules/google-proto-files/google"
validate=$(cd "$here" && go mod download -json github.com/bufbuild/protovalidate@v1.2.2 |
  sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/proto/protovalidate

rm -rf "$cache/proto"
mkdir -p "$cache/proto/google/api" "$cache/proto/google/rpc" "$cache/proto/buf/validate" "$cache/bin"
cp "$google"/api/{annotations,http}.proto "$cache/proto/google/api/"
cp "$google"/rpc/error_details.proto "$cache/proto/google/rpc/"
cp "$validate"/buf/validate/validate.proto "$cache/proto/buf/validate/"
chmod -R u+w "$cache/proto"
[ "${1:-}" = --prepare ] && exit 0

for tool in connectrpc.com/connect/cmd/protoc-gen-connect-go \
  google.golang.org/grpc/cmd/protoc-gen-go-grpc \
  google.golang.org/protobuf/cmd/protoc-gen-go \
  github.com/sudorandom/protoc-gen-connect-openapi; do
  (cd "$here" && go build -mod=readonly -o "$cache/bin/" "$tool")
done

rm -rf gen/ts gen/go/llmgateway gen/openapi gen/llmgateway.binpb
PATH="$cache/bin:$PWD/node_modules/.bin:$PATH"
buf generate
# The whole contract in one file, for grpcurl and its like.
buf build proto --exclude-source-info -o gen/llmgateway.binpb
node "$here/openapi.mts" "$cache/plugin.openapi.json"
# The reference of the configuration is made of its proto's comments.
node "$here/config-docs.mts"
