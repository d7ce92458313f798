package call

import (
	"context"
	"errors"
	"io"
)

// ReadAll reads an answer to its end and closes it. The data of its parts is given together, and only if the answer is
// whole: one that ends without a terminal part is an io.ErrUnexpectedEOF.
func ReadAll(ctx context.Context, answer Answer) (data []byte, err error) {
	defer func() {
		if err = errors.Join(err, answer.Close()); err != nil {
			data = nil
		}
	}()
	for whole := false; ; {
		part, err := answer.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && whole:
			return data, nil
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		data, whole = append(data, part.Data...), part.Terminal
	}
}
