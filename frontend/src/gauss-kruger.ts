// CGCS2000 3-degree Gauss-Kruger: the zone of a longitude, and easting/northing by Krüger's series in n to the fourth
// order (Karney 2011, eq. 35), good to a millimetre within the zone. For reading coordinates only: areas come from the server.
const A = 6378137;
const F = 1 / 298.257222101;
const N = F / (2 - F);
const RECTIFYING = (A / (1 + N)) * (1 + N ** 2 / 4 + N ** 4 / 64);
const ALPHA = [
  N / 2 - (2 / 3) * N ** 2 + (5 / 16) * N ** 3 + (41 / 180) * N ** 4,
  (13 / 48) * N ** 2 - (3 / 5) * N ** 3 + (557 / 1440) * N ** 4,
  (61 / 240) * N ** 3 - (103 / 140) * N ** 4,
  (49561 / 161280) * N ** 4,
];

export interface GridPoint {
  zone: number;
  meridian: number;
  easting: number;
  northing: number;
}

/** Grid coordinates in metres of a point in degrees (easting with 500 km, without zone prefix). */
export function gaussKruger(lon: number, lat: number): GridPoint {
  const zone = Math.floor(lon / 3 + 0.5);
  const meridian = zone * 3;
  const phi = (lat * Math.PI) / 180;
  const lambda = ((lon - meridian) * Math.PI) / 180;
  const e = Math.sqrt(F * (2 - F));
  const tau = Math.sinh(Math.atanh(Math.sin(phi)) - e * Math.atanh(e * Math.sin(phi)));
  const xi = Math.atan2(tau, Math.cos(lambda));
  const eta = Math.asinh(Math.sin(lambda) / Math.hypot(tau, Math.cos(lambda)));
  let x = xi;
  let y = eta;
  ALPHA.forEach((a, i) => {
    const k = 2 * (i + 1);
    x += a * Math.sin(k * xi) * Math.cosh(k * eta);
    y += a * Math.cos(k * xi) * Math.sinh(k * eta);
  });
  return { zone, meridian, easting: 500_000 + RECTIFYING * y, northing: RECTIFYING * x };
}
