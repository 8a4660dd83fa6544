package llmgateway

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
)

// Option changes how [New] makes a client.
type Option func(*settings)

type settings struct {
	keySource    func(context.Context) (string, error)
	protocol     Protocol
	httpClient   connect.HTTPClient
	interceptors []connect.Interceptor
	retry        *RetryPolicy
}

// Protocol is how a client speaks to the gateway, which understands all of them on one port.
type Protocol int

const (
	// Connect works over HTTP/1.1 and HTTP/2, and through every proxy.
	Connect Protocol = iota
	// GRPC needs HTTP/2 all the way. Without TLS it is spoken with prior knowledge (h2c).
	GRPC
	// GRPCWeb is gRPC for proxies that cannot pass HTTP trailers on.
	GRPCWeb
)

func (p Protocol) options() ([]connect.ClientOption, error) {
	switch p {
	case Connect:
		return nil, nil
	case GRPC:
		return []connect.ClientOption{connect.WithGRPC()}, nil
	case GRPCWeb:
		return []connect.ClientOption{connect.WithGRPCWeb()}, nil
	default:
		return nil, fmt.Errorf("llmgateway: there is no protocol %d; use Connect, GRPC or GRPCWeb", int(p))
	}
}

// WithAPIKey authenticates every call with this key. An empty key sends none.
func WithAPIKey(key string) Option {
	return WithKeySource(func(context.Context) (string, error) { return key, nil })
}

// WithKeySource authenticates every call with the key that source gives, for keys that change. It is asked once for
// each attempt, possibly by several goroutines at once, with the context of the call. Its error ends the call as
// [connect.CodeUnauthenticated].
func WithKeySource(source func(context.Context) (string, error)) Option {
	return func(set *settings) { set.keySource = source }
}

// WithProtocol chooses how to speak to the gateway; the default is [Connect].
func WithProtocol(protocol Protocol) Option {
	return func(set *settings) { set.protocol = protocol }
}

// WithHTTPClient makes every call with this client, for certificates and proxies of your own. [NewTransport] gives
// the transport to start from. A client with a Timeout ends streams that last longer; use the context instead.
func WithHTTPClient(client connect.HTTPClient) Option {
	return func(set *settings) { set.httpClient = client }
}

// WithInterceptors adds interceptors, the first outermost. They see every attempt, and the key in its header.
func WithInterceptors(interceptors ...connect.Interceptor) Option {
	return func(set *settings) { set.interceptors = append(set.interceptors, interceptors...) }
}

// WithRetry repeats calls that failed before their first event, by this policy. Without it nothing is repeated.
func WithRetry(policy RetryPolicy) Option {
	return func(set *settings) { set.retry = &policy }
}
