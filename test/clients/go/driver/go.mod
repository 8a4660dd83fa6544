module driver

go 1.26.0

require (
	github.com/llmgateway/llmgateway/clients/go v0.1.0
	github.com/llmgateway/llmgateway/gen/go v0.1.0
	google.golang.org/grpc v1.85.0
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	connectrpc.com/connect v1.21.1 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20261104224025-d1e00e9f33ab // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261104224025-d1e00e9f33ab // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/llmgateway/llmgateway/clients/go => ../../../../clients/go
	github.com/llmgateway/llmgateway/gen/go => ../../../../gen/go
)
