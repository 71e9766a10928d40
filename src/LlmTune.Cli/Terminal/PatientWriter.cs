using System.Text;

namespace LlmTune.Cli.Terminal;

/// <summary>What people read, for as long as somebody does: a terminal that is gone, or a full disk behind it, ends no run.</summary>
internal sealed class PatientWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Try(() => inner.Write(value));

    public override void Write(string? value) => Try(() => inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    public override void Flush() => Try(inner.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            // Nobody is there to be told.
        }
    }
}
