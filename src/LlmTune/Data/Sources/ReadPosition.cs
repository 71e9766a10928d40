namespace LlmTune.Data.Sources;

/// <summary>How far the files of a source have been read, for progress.</summary>
internal sealed class ReadPosition
{
    private FileStream? _current;
    private long _length;
    private long _before;

    /// <summary>Bytes on the disk that have been read.</summary>
    public long Bytes => _before + (_current is { CanRead: true } open ? open.Position : _length);

    public void Begin(FileStream file)
    {
        _before += _length;
        (_current, _length) = (file, file.Length);
    }
}
