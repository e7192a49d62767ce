"""A runner in a process of its own: ncnn takes its process down on some damaged graphs."""

import multiprocessing

from converter.errors import ConversionError

PATIENCE = 60.0
# imported once, by the process that all others are forked from
multiprocessing.set_forkserver_preload(["apart", "converter.formats.ncnn.runner", "converter.formats.onnx.runner"])


def _serve(pipe, format, files, graph):
    from converter.formats.ncnn.runner import NcnnRunner
    from converter.formats.onnx.runner import OnnxBlobs

    try:
        runner = OnnxBlobs(*files, graph) if format == "onnx" else NcnnRunner(*files, graph, any_outputs=True)
    except ConversionError as error:
        runner = error
    while True:
        feed, names = pipe.recv()
        try:
            if isinstance(runner, ConversionError):
                raise runner
            pipe.send(runner.blobs(feed, names))
        except ConversionError as error:
            pipe.send(error)


class Apart:
    """``blobs()`` of a graph; the process is started when needed and again after it has died."""

    def __init__(self, format, files, graph):
        self.arguments = (format, tuple(files), graph)
        self.process = self.pipe = None

    def blobs(self, feed, names):
        if self.process is None or not self.process.is_alive():
            context = multiprocessing.get_context("forkserver")
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_serve, args=(theirs, *self.arguments), daemon=True)
            self.process.start()
            theirs.close()
        try:
            self.pipe.send((feed, list(names)))
            if not self.pipe.poll(PATIENCE):
                raise EOFError
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise ConversionError("the process that runs the graph has ended") from None
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
