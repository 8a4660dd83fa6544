package llmgateway

import (
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 90 * time.Second
	// An answer may be silent for long. These find out whether its connection still lives.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// Many calls at once to the one host are what a client is for.
	idleConnections = 256
)

// NewTransport makes the transport that [New] uses when it is given no client of its own. Set TLSClientConfig or
// Proxy on it, and hand it over with [WithHTTPClient].
func NewTransport(protocol Protocol) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	if protocol == GRPC {
		protocols.SetUnencryptedHTTP2(true)
	} else {
		protocols.SetHTTP1(true)
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConns:        idleConnections,
		MaxIdleConnsPerHost: idleConnections,
		Protocols:           &protocols,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// newHTTPClient follows no redirect: it would carry a conversation to another place than the one that was named.
func newHTTPClient(protocol Protocol) *http.Client {
	return &http.Client{
		Transport:     NewTransport(protocol),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
